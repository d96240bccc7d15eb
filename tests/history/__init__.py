"""Crashes and hostile input against the server under test."""
