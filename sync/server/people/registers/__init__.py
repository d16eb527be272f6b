"""Registers: tables of residents, vehicles and applications, their exports, and the numbers of compounds."""
