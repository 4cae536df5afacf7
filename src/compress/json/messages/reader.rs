//! Finds messages in a document, and what they say of themselves.

use super::super::scan::{Document, Shape};

/// Where the messages of a document are.
pub(super) struct Found {
    /// The array; `None` when each line is a message.
    pub(super) list: Option<usize>,
    pub(super) messages: Vec<usize>,
}

impl Found {
    pub(super) fn of(text: &str, document: &Document) -> Option<Self> {
        let reader = Reader { text, document };
        let list = if document.is_lines {
            None
        } else {
            match document.nodes.first()?.shape {
                Shape::Array => Some(0),
                Shape::Object => Some(["messages", "input"].iter().find_map(|name| reader.list_member(0, name))?),
                Shape::Text | Shape::Plain => return None,
            }
        };
        let messages: Vec<usize> = document.children(list).collect();
        let is_said = |index: &&usize| reader.role(**index).is_some();
        let is_message = |index: &usize| reader.is_message(*index);
        (messages.iter().find(is_said).is_some() && messages.iter().all(is_message)).then_some(Self { list, messages })
    }
}

/// Looks things up in a document.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a, 'd> {
    pub(super) text: &'a str,
    pub(super) document: &'d Document,
}

impl<'a> Reader<'a, '_> {
    fn member(self, node: usize, name: &str) -> Option<usize> {
        if self.document.nodes[node].shape != Shape::Object {
            return None;
        }
        self.document.children(Some(node)).find(|child| self.key(*child) == name)
    }

    fn list_member(self, node: usize, name: &str) -> Option<usize> {
        self.member(node, name).filter(|child| self.document.nodes[*child].shape == Shape::Array)
    }

    pub(super) fn key(self, node: usize) -> &'a str {
        self.document.nodes[node].key().map_or("", |key| self.text[key].trim_matches('"'))
    }

    /// The string that a member holds, without its quotes; escapes are left as they are.
    pub(super) fn string(self, node: usize, name: &str) -> Option<&'a str> {
        let member = &self.document.nodes[self.member(node, name)?];
        (member.shape == Shape::Text).then(|| &self.text[member.span().start + 1..member.span().end - 1])
    }

    pub(super) fn role(self, node: usize) -> Option<&'a str> {
        const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool", "function", "model"];
        let role = self.string(node, "role")?;
        let says =
            ["content", "tool_calls", "parts", "function_call"].iter().any(|name| self.member(node, name).is_some());
        (ROLES.contains(&role) && says).then_some(role)
    }

    fn is_message(self, node: usize) -> bool {
        const ITEMS: &[&str] = &["function_call", "function_call_output", "reasoning", "message"];
        self.role(node).is_some() || self.string(node, "type").is_some_and(|kind| ITEMS.contains(&kind))
    }

    /// The blocks of a message's content.
    fn blocks(self, node: usize) -> Vec<usize> {
        self.list_member(node, "content").map_or(Vec::new(), |list| self.document.children(Some(list)).collect())
    }

    /// The ids of the calls that a message makes.
    pub(super) fn calls(self, node: usize) -> Vec<&'a str> {
        let mut ids: Vec<&str> = Vec::new();
        if let Some(calls) = self.list_member(node, "tool_calls") {
            ids.extend(self.document.children(Some(calls)).filter_map(|call| self.string(call, "id")));
        }
        if self.string(node, "type") == Some("function_call") {
            ids.extend(self.string(node, "call_id"));
        }
        let uses = self.blocks(node).into_iter().filter(|block| {
            self.string(*block, "type").is_some_and(|kind| kind == "tool_use" || kind == "server_tool_use")
        });
        ids.extend(uses.filter_map(|block| self.string(block, "id")));
        // The older form of OpenAI has no ids: the next message of the role `function` answers.
        if self.member(node, "function_call").is_some_and(|call| self.document.nodes[call].shape == Shape::Object) {
            ids.push("");
        }
        ids
    }

    /// The ids of the calls that a message answers.
    pub(super) fn answers(self, node: usize) -> Vec<&'a str> {
        let mut ids: Vec<&str> = Vec::new();
        ids.extend(self.string(node, "tool_call_id"));
        if self.string(node, "type") == Some("function_call_output") {
            ids.extend(self.string(node, "call_id"));
        }
        if self.role(node) == Some("function") {
            ids.push("");
        }
        ids.extend(self.blocks(node).into_iter().filter_map(|block| self.string(block, "tool_use_id")));
        ids
    }

    /// Whether a message is a turn of the user, not only what tools gave back.
    pub(super) fn is_asked(self, node: usize) -> bool {
        let is_result = |block: &usize| self.member(*block, "tool_use_id").is_some();
        let blocks = self.blocks(node);
        self.role(node) == Some("user") && (blocks.is_empty() || !blocks.iter().all(is_result))
    }
}
