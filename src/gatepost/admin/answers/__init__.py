"""The shape of every answer of the API, once: what builds an answer returns this type, and OpenAPI shows it.

Rule 1: the type checker holds whatever builds an answer to its shape; a test compares real answers with the document.
Rule 2: a field says what it is, in which unit, and which words it can be; nothing is validated while mail flows.
"""
