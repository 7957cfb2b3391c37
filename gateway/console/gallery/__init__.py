"""Pages of the gallery: the grid, one image, and what is done with many."""
