// SPDX-License-Identifier: GPL-2.0

//! The kernel's `#[pin_data]` where nothing has to be pinned: takes `#[pin]` away from the fields.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Leaves the structure as it is, without the marks of pinned fields.
#[proc_macro_attribute]
pub fn pin_data(_: TokenStream, item: TokenStream) -> TokenStream {
    without_pin(item)
}

fn without_pin(item: TokenStream) -> TokenStream {
    let mut tokens = item.into_iter().peekable();
    let mut out = vec![];
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_hash && tokens.peek().is_some_and(is_pin) {
            tokens.next();
            continue;
        }
        out.push(match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                TokenTree::Group(Group::new(Delimiter::Brace, without_pin(group.stream())))
            }
            other => other,
        });
    }
    out.into_iter().collect()
}

fn is_pin(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.stream().to_string() == "pin")
}
