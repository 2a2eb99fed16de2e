"""Charts as SVG: declared once as data, laid out for a page and for a phone, and written with CSS for their colours."""
