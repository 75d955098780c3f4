"""Knowledge in files: rows, what reads and writes them, documents, and what looks them over."""
