//! The Portcullis bundle format: layout, reader and writer.
