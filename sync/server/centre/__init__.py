"""The centre itself: its database, keys, transactions, feed and wake-ups. It knows no pass, gate or person."""
