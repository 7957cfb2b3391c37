"""What the gallery does with images: thumbnails, deletion, and exports as ZIP files."""
