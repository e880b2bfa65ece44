"""What a run kept and learnt, as tables, pages and pictures."""
