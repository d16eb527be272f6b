"""What the core does for the guards: their sessions, their live list, and the verbs they ask with."""
