"""Who lives here: dwellings, households and their people, from the form to the pass. No page is in it."""
