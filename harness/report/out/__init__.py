"""The formats of a report: each has render(material)."""
