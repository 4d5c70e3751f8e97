"""Grading of answers in processes that can be killed."""
