//! What the product offers, one file per tool. The last room that sees JSON.
