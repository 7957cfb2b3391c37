"""Reports: what finance reads of the books, as pages and files."""
