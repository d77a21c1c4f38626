"""One way in for every file and query that people hand over: encodings, shapes, values, previews; the rules are in docs/files.md."""
