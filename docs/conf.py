"""The docs site: `make docs`. The pages are the Markdown files of this folder, readable without it as well."""

project = "airflow-provider-syrve"
author = "The airflow-provider-syrve authors"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = project
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
nitpicky = True
