//! Who answers, and why: chosen beforehand, and told with each answer.

use mosaic_testkit::{StandIn, Step};
use serde_json::json;

use super::reach::check;
use super::visitor::Visitor;
use crate::testbed::Testbed;

#[tokio::test]
async fn a_model_is_chosen_from_a_list_that_tells_what_each_can() {
    let mut bed = Testbed::asleep(StandIn::builder().models(["m-1", "b-1", "extra"]));
    let url = bed.model.base_url();
    bed.configure(&format!(
        "[providers.dark]\nbase_url = \"{url}\"\nmodels.\"b-1\" = {{ vision = false, context_tokens = 9000 }}\n"
    ));
    bed.restart().await;
    let ada = Visitor::owner(&bed).await;
    let groups =
        "JSON.stringify([...document.querySelectorAll('.composer .model optgroup')].map((group) => group.label))";
    ada.page.until(&format!("{groups} === '[\"dark\",\"lab\"]'")).await;
    let options = "[...document.querySelectorAll('.composer .model option')].map((option) => option.innerText)";
    for option in ["b-1 (9k tokens, no pictures)", "m-1 ($1 in, $2 out)", "extra"] {
        ada.page.until(&format!("{options}.includes({})", json!(option))).await;
    }
    let choose = "(() => { const model = document.querySelector('.composer .model'); model.value = 'dark/b-1'; \
                  model.dispatchEvent(new Event('change')); })()";
    ada.page.eval(choose).await;
    ada.says("hello").await;
    ada.page.until("document.querySelector('.meta .model')?.innerText === 'dark/b-1'").await;
    ada.page.until("!document.querySelector('.meta .why').classList.contains('fell')").await;
    ada.is_content();
}

#[tokio::test]
async fn an_answer_of_a_model_that_stepped_in_says_so_in_a_line_of_its_own_and_its_code_is_coloured() {
    let said = "```rust\nlet x = \"<b>\"; // one\n```";
    let script = [Step::status(401, "invalid_api_key", "No."), Step::say(said)];
    let mut bed = Testbed::asleep(StandIn::builder().script(script));
    let url = bed.model.base_url();
    bed.configure(&format!(
        "[providers.other]\nbase_url = \"{url}\"\n[agents.pair]\nmodels = [\"other/o-1\", \"lab/m-1\"]\n"
    ));
    bed.restart().await;
    let ada = Visitor::owner(&bed).await;
    let pair = "(() => { const agent = document.querySelector('.composer .agent'); agent.value = 'pair'; \
                agent.dispatchEvent(new Event('change')); })()";
    ada.page.eval(pair).await;
    ada.says("write code").await;
    ada.page
        .until("document.querySelector('.meta .fell')?.innerText === 'other/o-1 refused the key; lab/m-1 answered'")
        .await;
    let coloured = "JSON.stringify([...document.querySelectorAll('.md pre span')].map((one) => [one.className, one.innerText.trim()]))";
    let wanted = json!([["k", "let"], ["l", "\"<b>\""], ["c", "// one"]]).to_string();
    ada.page.until(&format!("{coloured} === {}", json!(wanted))).await;
    ada.page.until("document.querySelector('.md pre').innerText.trim() === 'let x = \"<b>\"; // one'").await;
    check(&ada, "an answer with code").await;
    ada.is_content();
}
