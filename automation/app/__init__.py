"""The composition root: the one place where rooms meet and adapters are built.

A module a group of commands; each offers plain functions that the command line, the web page and
tests call alike.
"""
