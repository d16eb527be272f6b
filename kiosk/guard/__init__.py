"""The guards' page: watch, answer, override, look up. It holds nothing but what the core answers.

``app.create_app`` makes the WSGI application; ``serve`` serves it.
"""
