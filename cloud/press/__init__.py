"""The press: facts in, PDF out. Templates are typst; the typeface comes with a Python package.

sheet   what a template is given: text ready to print and proportions to draw
words   what is printed around the facts, in both languages
bill receipt notice     facts → sheet, one file a kind of document
compiler                sheet → bytes; knows typst
room                    single papers, beside the event loop

The invariant: the same facts give the same bytes. No clock, no machine's fonts and no chance reach a
page.
"""
