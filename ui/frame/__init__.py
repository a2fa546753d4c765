"""What surrounds every page: the sidebar, the verdict, which page shows which defense."""
