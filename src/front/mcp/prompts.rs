//! The prompts that a client can show its user: one, which gives an assistant the memory of the project.

use rmcp::model::{ErrorData, GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

use crate::front::render;
use crate::tokens::Budget;
use crate::tools::Services;

/// The name of the prompt.
const PROJECT_MEMORY: &str = "project-memory";
/// What it is for.
const ABOUT: &str = "What is remembered of this project, for the beginning of a session";
/// What is said where there is nothing.
const NOTHING: &str = "Nothing is remembered of this project yet. memory_store keeps what is worth it.";

/// Returns the prompts as they are listed.
pub fn listing() -> Vec<Prompt> {
    let budget =
        PromptArgument::new("max_tokens").with_description("Most tokens of it; the settings' budget when absent");
    let prompt = Prompt::new(PROJECT_MEMORY, Some(ABOUT), Some(vec![budget.with_required(false)]));
    vec![prompt.with_title("Project memory")]
}

/// Returns a prompt.
pub async fn get(services: &Services, request: GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    if request.name != PROJECT_MEMORY {
        let shown: String = request.name.chars().take(80).collect();
        let told = format!("/name: there is no prompt {shown:?}; there is {PROJECT_MEMORY:?}");
        return Err(ErrorData::invalid_params(told, None));
    }
    let arguments = request.arguments.unwrap_or_default();
    if let Some(unknown) = arguments.keys().find(|name| *name != "max_tokens") {
        let shown: String = unknown.chars().take(80).collect();
        return Err(ErrorData::invalid_params(format!("/arguments/{shown} is unknown: expected max_tokens"), None));
    }
    // Arguments of prompts are texts in the protocol; a number is what most would write.
    let tokens = match arguments.get("max_tokens") {
        None | Some(Value::Null) => Some(services.config.context.max_tokens),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_u64().and_then(|tokens| usize::try_from(tokens).ok()),
    };
    let tokens = tokens
        .filter(|tokens| *tokens > 0)
        .ok_or_else(|| ErrorData::invalid_params("/arguments/max_tokens: expected a number from 1", None))?;
    let budget =
        Budget { tokens: tokens.min(services.config.context.max_output_tokens), measure: services.default_measure() };
    let done = async {
        services.stores()?;
        Ok(services.memories.brief(budget).await?)
    };
    let briefing = done
        .await
        .map_err(|error| ErrorData::internal_error(render::error_text(&error), Some(render::error_data(&error))))?;
    let text = match briefing.text {
        text if !text.is_empty() => text,
        _ if briefing.more > 0 => format!("{} memories are there, and none fits {tokens} tokens.", briefing.more),
        _ => NOTHING.to_owned(),
    };
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(ABOUT))
}
