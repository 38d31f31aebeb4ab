"""The online side: queries to ranked items, over HTTP."""
