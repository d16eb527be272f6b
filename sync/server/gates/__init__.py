"""Gates: enrolment, their guards, the events they send, the lists they fetch."""
