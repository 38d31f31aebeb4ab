"""Beam search inside vLLM: scheduler, logits processor and the mask of the trie."""
