//! Files that go with a message.

use mosaic_testkit::StandIn;
use serde_json::{Value, json};

use super::reach::check;
use super::visitor::Visitor;
use crate::attachments::PNG;
use crate::testbed::Testbed;

/// A `DataTransfer` that holds files, each a name, a type and its bytes in base64.
fn transfer(files: &Value) -> String {
    format!(
        "(() => {{ const all = new DataTransfer(); for (const [name, type, data] of {files}) \
         all.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, {{ type }})); return all; }})()"
    )
}

/// Chooses files in the page's own field, as a person would in the dialog.
async fn choose(ada: &Visitor, files: &Value) {
    let all = transfer(files);
    let script = format!(
        "(() => {{ const pick = document.querySelector('.pick'); pick.files = {all}.files; \
         pick.dispatchEvent(new Event('change')); }})()"
    );
    ada.page.eval(&script).await;
}

/// Pastes or drops files at an element.
async fn brings(ada: &Visitor, event: &str, at: &str, files: &Value) {
    let all = transfer(files);
    let (kind, field) =
        if event == "paste" { ("ClipboardEvent", "clipboardData") } else { ("DragEvent", "dataTransfer") };
    let script = format!(
        "document.querySelector('{at}').dispatchEvent(new {kind}('{event}', \
         {{ {field}: {all}, bubbles: true, cancelable: true }}))"
    );
    ada.page.eval(&script).await;
}

/// Waits until the composer has these files.
async fn has(ada: &Visitor, names: &[&str]) {
    let shown =
        "JSON.stringify([...document.querySelectorAll('.composer .files .name')].map((name) => name.innerText))";
    ada.page.until(&format!("{shown} === {}", json!(json!(names).to_string()))).await;
}

fn sent(bed: &Testbed) -> String {
    json!(bed.model.last_call().messages()).to_string()
}

const SHOWN: &str = "(() => { const files = document.querySelector('.said.user .files'); const image = files?.querySelector('img'); \
                     return files?.innerText.includes('notes.txt') && image?.complete && image.naturalWidth === 1; })()";

#[tokio::test]
async fn text_and_pictures_go_with_a_message_and_are_shown_with_it() {
    let mut bed = Testbed::start().await;
    let port = bed.address().port();
    bed.configure(&format!("[gateway]\nbind = \"127.0.0.1:{port}\"\n"));
    let ada = Visitor::owner(&bed).await;
    choose(&ada, &json!([["notes.txt", "text/plain", "aGVsbG8gZnJvbSBhIGZpbGU="], ["dot.png", "image/png", PNG]]))
        .await;
    has(&ada, &["notes.txt", "dot.png"]).await;
    ada.page.until("document.querySelector('.composer .files img').naturalWidth === 1").await;
    check(&ada, "a composer with files").await;
    ada.says("what is this?").await;
    ada.page.until("document.querySelector('.meta .why')").await;
    let told = sent(&bed);
    assert!(told.contains("hello from a file") && told.contains(PNG), "{told}");
    ada.page.until(SHOWN).await;
    has(&ada, &[]).await;
    assert_eq!(ada.draft().await, "");
    check(&ada, "a message with files").await;
    ada.page.reload().await;
    ada.page.until(SHOWN).await;
    ada.is_content();

    // They are stored: whatever becomes of the daemon, the page shows them and the model has them.
    bed.kill9().await;
    bed.restart().await;
    ada.connected().await;
    ada.page.reload().await;
    ada.page.until(SHOWN).await;
    ada.says("and now?").await;
    ada.page.until("document.querySelectorAll('.meta .why').length === 2").await;
    assert!(sent(&bed).contains(PNG));
    ada.minds_only_the_absence();
}

#[tokio::test]
async fn files_are_picked_pasted_and_dropped_and_taken_away_again() {
    let bed = Testbed::start().await;
    let ada = Visitor::owner(&bed).await;
    choose(&ada, &json!([["a.txt", "text/plain", "YQ=="]])).await;
    has(&ada, &["a.txt"]).await;
    brings(&ada, "paste", "#text", &json!([["b.png", "image/png", PNG]])).await;
    has(&ada, &["a.txt", "b.png"]).await;
    brings(&ada, "drop", ".scroll", &json!([["c.md", "", "Yw=="]])).await;
    has(&ada, &["a.txt", "b.png", "c.md"]).await;
    ada.page.click(".composer .files [aria-label='Take b.png away']").await;
    has(&ada, &["a.txt", "c.md"]).await;
    ada.page.until("document.activeElement.id === 'text'").await;
    ada.says("read").await;
    ada.page.until("document.querySelector('.meta .why')").await;
    assert!(!sent(&bed).contains(PNG));
    // Who writes it anew has its files again.
    ada.page.click("[aria-label='Change your message']").await;
    has(&ada, &["a.txt", "c.md"]).await;
    ada.says(" again").await;
    ada.page.until("document.querySelector('.said.user .plain')?.innerText.includes('again') && document.querySelector('.meta .why')").await;
    assert!(sent(&bed).contains("a.txt"), "{}", sent(&bed));
    ada.is_content();
}

#[tokio::test]
async fn what_cannot_be_attached_is_told_before_it_is_sent() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let url = bed.model.base_url();
    bed.configure(&format!(
        "[providers.dark]\nbase_url = \"{url}\"\nmodels.\"b-1\" = {{ vision = false }}\n[agents.mole]\nmodels = [\"dark/b-1\"]\n"
    ));
    bed.restart().await;
    let ada = Visitor::owner(&bed).await;
    let told = async |files: Value, sentence: &str| {
        choose(&ada, &files).await;
        ada.page.sees(sentence).await;
    };
    told(json!([["dump.bin", "application/octet-stream", "/////w=="]]), "dump.bin is neither text nor a picture").await;
    let large = "YWFh".repeat(87_400);
    told(json!([["long.txt", "text/plain", large]]), "long.txt is larger than 256 KB").await;
    let nine: Vec<Value> = (0..9).map(|at| json!([format!("{at}.txt"), "text/plain", "YQ=="])).collect();
    told(json!(nine), "A message takes 8 files").await;
    ada.page.eval("document.querySelectorAll('.composer .files button').forEach((button) => button.click())").await;
    has(&ada, &[]).await;
    choose(&ada, &json!([["dot.png", "image/png", PNG]])).await;
    has(&ada, &["dot.png"]).await;
    ada.says(" ").await;
    ada.page.sees("Say what is to be done with the files.").await;
    // What the daemon refuses stays in the composer, with its sentence.
    ada.page.eval("(() => { const agent = document.querySelector('.composer .agent'); agent.value = 'mole'; agent.dispatchEvent(new Event('change')); })()").await;
    ada.says("look").await;
    ada.page.sees("dark/b-1 cannot see pictures").await;
    has(&ada, &["dot.png"]).await;
    assert_eq!(ada.draft().await, " look");
    ada.page.click(".composer .files button").await;
    ada.says("").await;
    ada.page.until("document.querySelector('.meta .why')").await;
    assert_eq!(bed.model.progress().calls, 1);
}
