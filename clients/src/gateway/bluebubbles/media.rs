//! Files of messages on a Mac: fetching them, and sending one or several with a text as one message.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::fs::File;

use super::send::{judge, refusal};
use super::wire::{self, Envelope, Raw};
use super::{BlueBubbles, json, read};
use crate::ClientError;
use crate::gateway::{Fetched, SendFile, SendMethod, SendText, Sent};
use crate::http::{Downloaded, Effect, Form, Method, Part};

/// The server gives a download half an hour; a line is not worth that long.
const DOWNLOAD: Duration = Duration::from_secs(600);
/// Above the server's own 300 s for what is sent with a file.
const UPLOAD: Duration = Duration::from_secs(320);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MultipartBody<'a> {
    chat_guid: &'a str,
    temp_guid: &'a str,
    parts: Vec<MultipartPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_message_guid: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MultipartPart<'a> {
    part_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Deserialize)]
struct WireStaged<'a> {
    #[serde(borrow, default)]
    path: Raw<'a>,
}

impl BlueBubbles {
    /// Writes a file of a message where it is asked to.
    pub async fn download(
        &self,
        guid: &str,
        is_original: bool,
        into: &mut File,
        limit: u64,
    ) -> Result<Fetched, ClientError> {
        let query = [("original", if is_original { "true" } else { "false" })];
        let mut call = self.call("download", Method::GET, &["attachment", guid, "download"], &query);
        call.timeout = DOWNLOAD;
        match self.http().download(call, into, limit).await? {
            Downloaded::Done { length, .. } => Ok(Fetched::Done { length }),
            Downloaded::TooLong => Ok(Fetched::TooLong),
            Downloaded::Refused(answer) => match read::data(&answer) {
                Err(ClientError::Rejected { code: "not_found", .. }) => Ok(Fetched::Unknown),
                Err(ClientError::Rejected { code: "file_not_there", .. }) => Ok(Fetched::NotThere),
                Err(error) => Err(error),
                Ok(_) => Err(ClientError::Transient { reason: "answer_not_understood" }),
            },
        }
    }

    /// Sends files and a text. The helper takes all of it as one message, whose files are laid ready before; the script can send one file
    /// and nothing with it.
    pub async fn send_files(&self, message: &SendText, files: &[SendFile]) -> Result<Sent, ClientError> {
        let method = message.method.unwrap_or(self.line().method);
        match files {
            [file] if message.text.is_empty() => self.send_one(message, file, method).await,
            _ if method == SendMethod::AppleScript => {
                Err(ClientError::rejected("needs_private_api", "by script one file goes alone, without a text"))
            }
            _ => self.send_together(message, files).await,
        }
    }

    async fn send_one(&self, message: &SendText, file: &SendFile, method: SendMethod) -> Result<Sent, ClientError> {
        let mut form = Form::new()
            .text("chatGuid", self.chat_of(message))
            .text("tempGuid", message.client_guid.clone())
            .text("name", file.name.clone())
            .text("method", method.as_str());
        if file.is_voice && method == SendMethod::PrivateApi {
            form = form.text("isAudioMessage", "true");
        }
        if let Some(reply_to) = message.reply_to.clone().filter(|_| method == SendMethod::PrivateApi) {
            form = form.text("selectedMessageGuid", reply_to);
        }
        let mut call = self.call("send_file", Method::POST, &["message", "attachment"], &[]);
        call.form = Some(form.part("attachment", part(file).await?));
        call.timeout = UPLOAD;
        call.effect = Effect::Once;
        judge(&self.http().call(call).await?)
    }

    async fn send_together(&self, message: &SendText, files: &[SendFile]) -> Result<Sent, ClientError> {
        let mut parts = Vec::new();
        for (n, file) in files.iter().enumerate() {
            let attachment = Some(self.stage(file).await?);
            parts.push(MultipartPart { part_index: n, text: None, attachment, name: Some(&file.name) });
        }
        if !message.text.is_empty() {
            let text = Some(message.text.as_str());
            parts.push(MultipartPart { part_index: files.len(), text, attachment: None, name: None });
        }
        let chat_guid = self.chat_of(message);
        let body = MultipartBody {
            chat_guid: &chat_guid,
            temp_guid: &message.client_guid,
            parts,
            selected_message_guid: message.reply_to.as_deref(),
        };
        let mut call = self.call("send_multipart", Method::POST, &["message", "multipart"], &[]);
        call.json = Some(json(&body));
        call.timeout = UPLOAD;
        call.effect = Effect::Once;
        judge(&self.http().call(call).await?)
    }

    /// Lays a file ready at the Mac. Done twice it lies there twice, and nothing goes out.
    async fn stage(&self, file: &SendFile) -> Result<String, ClientError> {
        let mut call = self.call("stage_file", Method::POST, &["attachment", "upload"], &[]);
        call.form = Some(Form::new().part("attachment", part(file).await?));
        call.timeout = UPLOAD;
        let answer = self.http().call(call).await?;
        let staged: Option<WireStaged<'_>> = wire::object(read::data(&answer)?);
        let path = staged.and_then(|staged| wire::word(staged.path));
        path.ok_or_else(|| {
            let detail = Envelope::parse(&answer.body).and_then(|envelope| envelope.detail());
            refusal(&answer, detail.as_deref()).unwrap_or(ClientError::Transient { reason: "answer_not_understood" })
        })
    }

    fn chat_of(&self, message: &SendText) -> String {
        message.chat_guid.clone().unwrap_or_else(|| format!("iMessage;-;{}", message.address))
    }
}

async fn part(file: &SendFile) -> Result<Part, ClientError> {
    let lost = |_| ClientError::rejected("file_lost", "the bytes of the file are gone");
    let bytes = File::open(&file.path).await.map_err(lost)?;
    let length = bytes.metadata().await.map_err(lost)?.len();
    let part = Part::stream_with_length(bytes, length).file_name(file.name.clone());
    part.mime_str(&file.mime).map_err(|_| ClientError::rejected("bad_mime", "the type of the file is none"))
}
