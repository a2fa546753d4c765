"""The browser door's own code: widgets from parameters, links, charts, and the calls behind the pages."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    # A server's very first visitor has asked for a page, and Streamlit, which has not seen the list of pages
    # in app.py yet, has started the file in pages/ by itself: let it begin again with app.py.
    PagesManager.uses_pages_directory = False
    st.rerun()
