"""All identifiers as a trie, and the walk over tokens that is searched."""
