"""The charts, without Streamlit: numbers in, a Plotly figure out."""
