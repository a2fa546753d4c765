"""The browser door's own code: widgets from parameters, links, charts, and the calls behind the pages."""
