"""The centre: issues passes, feeds gates, takes their events. Knows nothing of kiosk or hardware.

``python -m sync.server --help`` is the way in for people; ``app.create_app`` for a WSGI server.
"""
