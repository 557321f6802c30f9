"""Unigram: the most probable segmentation."""
