"""An open bundle and the changes made to it, as searches see them."""
