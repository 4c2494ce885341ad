"""Tests of the console: its words, numbers and pictures, and its pages in a real browser."""
