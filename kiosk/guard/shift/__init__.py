"""The guard's shift: who is on duty, the hand-over sheet, notes for the next one."""
