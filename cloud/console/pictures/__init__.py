"""The geometry of the server-drawn pictures: numbers in, coordinates out.

Pure: no words, no colours, no markup. A template gives them both (`templates/components/`), so the
same picture serves both languages, light and dark, screen and print. Lengths are SVG user units.
"""
