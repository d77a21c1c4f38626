"""The CRM's desired states on their way to Syrve: planned field by field against what was agreed, applied, acknowledged."""
