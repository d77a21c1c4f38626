"""The CRM's wishes on their way to Syrve: planned field by field against what was agreed, applied, acknowledged."""
