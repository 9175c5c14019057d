//! Webhook bodies as Macs send them, in good and in odd form.

use super::*;
use crate::gateway::Service;

const INBOUND: &str = r#"{"type":"new-message","data":{"originalROWID":4212,"guid":"A1D7-UUID","text":"hello","attributedBody":null,
"handle":{"originalROWID":12,"address":"+15551234567","service":"iMessage","uncanonicalizedId":null,"country":"us"},"handleId":12,"otherHandle":0,"attachments":[],
"subject":null,"error":0,"dateCreated":1764028811000,"dateRead":null,"dateDelivered":1764028811500,"isDelivered":true,"isFromMe":false,"hasDdResults":false,"isArchived":false,"itemType":0,
"groupTitle":null,"groupActionType":0,"balloonBundleId":null,"associatedMessageGuid":null,"associatedMessageType":null,"expressiveSendStyleId":null,"threadOriginatorGuid":null,
"hasPayloadData":false,"chats":[{"originalROWID":7,"guid":"iMessage;-;+15551234567","style":45,"chatIdentifier":"+15551234567","isArchived":false,"displayName":""}],
"messageSummaryInfo":null,"payloadData":null,"dateEdited":null,"dateRetracted":null,"partCount":1}}"#;

#[track_caller]
fn new_message(body: &str) -> GatewayMessage {
    match parse_event(body.as_bytes()) {
        Ok(GatewayEvent::MessageNew(message)) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_inbound_text_is_read_whole() {
    let message = new_message(INBOUND);
    assert_eq!(message.guid, "A1D7-UUID");
    assert_eq!(message.row_id, Some(4212));
    assert_eq!(message.text.as_deref(), Some("hello"));
    assert_eq!(message.address.as_deref(), Some("+15551234567"));
    assert_eq!(message.sender.as_deref(), Some("+15551234567"));
    assert_eq!(message.chat_guid.as_deref(), Some("iMessage;-;+15551234567"));
    assert_eq!(message.service, Service::Imessage);
    assert_eq!(message.created_at.unwrap().timestamp_millis(), 1_764_028_811_000);
    assert_eq!(message.delivered_at.unwrap().timestamp_millis(), 1_764_028_811_500);
    assert!(!message.from_me && !message.is_group && message.is_delivered);
    assert_eq!((message.read_at, message.error, message.item_type), (None, None, 0));
}

#[test]
fn every_form_of_the_guid_names_one_conversation_and_the_handle_its_colour() {
    for guid in ["iMessage;-;+15551234567", "any;-;+15551234567", "SMS;-;+15551234567", "+15551234567"] {
        for (wire, service) in [("iMessage", Service::Imessage), ("SMS", Service::Sms), ("RCS", Service::Rcs)] {
            let body = INBOUND
                .replace("iMessage;-;+15551234567", guid)
                .replace(r#""service":"iMessage""#, &format!(r#""service":"{wire}""#));
            let message = new_message(&body);
            assert_eq!(message.address.as_deref(), Some("+15551234567"), "{guid}");
            assert_eq!(message.service, service, "{guid}");
        }
    }
}

#[test]
fn without_a_handle_the_guid_gives_the_colour_if_it_names_one() {
    for (guid, service) in
        [("SMS;-;+1555", Service::Sms), ("any;-;+1555", Service::Unknown), ("+1555", Service::Unknown)]
    {
        let body =
            format!(r#"{{"type":"new-message","data":{{"guid":"A","handle":null,"chats":[{{"guid":"{guid}"}}]}}}}"#);
        assert_eq!(new_message(&body).service, service, "{guid}");
    }
}

#[test]
fn a_receipt_without_chats_names_no_conversation() {
    let body = INBOUND
        .replace("new-message", "updated-message")
        .replace(r#""isFromMe":false"#, r#""isFromMe":true"#)
        .replace(r#""chats":[{"originalROWID":7,"guid":"iMessage;-;+15551234567","style":45,"chatIdentifier":"+15551234567","isArchived":false,"displayName":""}],"#, "")
        .replace(r#""dateRead":null"#, r#""dateRead":1764028819000"#);
    let Ok(GatewayEvent::MessageUpdated(message)) = parse_event(body.as_bytes()) else { panic!("{body}") };
    assert!(message.from_me && message.is_delivered);
    assert_eq!((message.address, message.chat_guid), (None, None));
    assert_eq!(message.sender.as_deref(), Some("+15551234567"));
    assert_eq!(message.read_at.unwrap().timestamp_millis(), 1_764_028_819_000);
}

#[test]
fn a_row_of_a_group_has_a_sender_and_no_address() {
    let message = new_message(&INBOUND.replace("iMessage;-;+15551234567", "any;+;chat123456789"));
    assert!(message.is_group);
    assert_eq!((message.address, message.sender.as_deref()), (None, Some("+15551234567")));
}

#[test]
fn a_failed_send_keeps_our_id_and_the_code() {
    let body = r#"{"type":"message-send-error","data":{"guid":"A","tempGuid":"temp-1","error":22,"isFromMe":true,"chats":[{"guid":"iMessage;-;+1555"}]}}"#;
    let Ok(GatewayEvent::SendError(message)) = parse_event(body.as_bytes()) else { panic!() };
    assert_eq!((message.error, message.temp_guid.as_deref()), (Some(22), Some("temp-1")));
}

#[test]
fn a_reaction_names_its_target() {
    for (associated, target) in [("p:0/6C0B", "6C0B"), ("bp:6C0B", "6C0B"), ("6C0B", "6C0B")] {
        let body = format!(
            r#"{{"type":"new-message","data":{{"guid":"A","text":"Loved “Hi Ana”","associatedMessageGuid":"{associated}","associatedMessageType":"-love"}}}}"#
        );
        let message = new_message(&body);
        assert_eq!(message.associated_guid.as_deref(), Some(target));
        assert_eq!(message.associated_type.as_deref(), Some("-love"));
    }
}

#[test]
fn the_small_events_are_known() {
    let event = |body: &str| parse_event(body.as_bytes()).unwrap();
    let chat_guid = || "iMessage;-;+15551234567".to_owned();
    let address = || Some("+15551234567".to_owned());
    assert_eq!(
        event(r#"{"type":"typing-indicator","data":{"display":true,"guid":"iMessage;-;+15551234567"}}"#),
        GatewayEvent::Typing { chat_guid: chat_guid(), address: address(), typing: true }
    );
    assert_eq!(
        event(r#"{"type":"chat-read-status-changed","data":{"chatGuid":"iMessage;-;+15551234567","read":true}}"#),
        GatewayEvent::ReadByUs { chat_guid: chat_guid(), address: address(), read: true }
    );
    assert_eq!(event(r#"{"type":"hello-world","data":null}"#), GatewayEvent::HelloWorld);
    assert_eq!(event(r#"{"type":"hello-world"}"#), GatewayEvent::HelloWorld);
    assert_eq!(
        event(r#"{"data":{"aliases":["+1555",null,"a@b.c"]},"type":"imessage-aliases-removed"}"#),
        GatewayEvent::AliasRemoved { aliases: vec!["+1555".into(), "a@b.c".into()] }
    );
    assert_eq!(
        event(r#"{"type":"new-server","data":"https://x.trycloudflare.com"}"#),
        GatewayEvent::ServerMoved { url: "https://x.trycloudflare.com".into() }
    );
    let facetime = r#"{"type":"incoming-facetime","data":"{\"caller\":\"+1555\",\"timestamp\":1}"}"#;
    assert_eq!(event(facetime), GatewayEvent::Other { kind: "incoming-facetime".into() });
}

#[test]
fn odd_values_do_not_lose_a_message() {
    let body = r#"{"data":{"guid":"A","text":"a\u0000b \ud83d c","originalROWID":"7","error":"22","dateCreated":1764028811000.0,
        "dateRead":"never","isFromMe":1,"isDelivered":"true","itemType":null,"handle":"gone","chats":null,"attachments":{},"new":[{"deep":"\ud83d"}]},
        "extra":1,"type":"new-message"}"#;
    let message = new_message(body);
    assert!(message.text.as_deref().unwrap().starts_with("ab "), "{:?}", message.text);
    assert_eq!((message.row_id, message.error, message.item_type), (Some(7), Some(22), 0));
    assert!(message.from_me && message.is_delivered && message.created_at.is_some() && message.read_at.is_none());
    let wrapped = r#"{"type":"new-message","data":"{\"guid\":\"A\",\"text\":\"x\"}"}"#;
    assert_eq!(new_message(wrapped).text.as_deref(), Some("x"));
    let broken = b"{\"type\":\"new-message\",\"data\":{\"guid\":\"A\",\"text\":\"x\xff\"}}";
    assert!(matches!(parse_event(broken), Ok(GatewayEvent::MessageNew(_))));
}

#[test]
fn a_text_keeps_what_people_write() {
    let body = r#"{"type":"new-message","data":{"guid":"A","text":"¿Qué \"tal\"?\n🔥 \ud83d\udd25 \\"}}"#;
    assert_eq!(new_message(body).text.as_deref(), Some("¿Qué \"tal\"?\n🔥 🔥 \\"));
}

#[test]
fn what_is_no_event_is_refused() {
    for body in ["", "null", "[]", "hello", "{", "{}", r#"{"type":null}"#, r#"{"type":""}"#, "\u{0}"] {
        assert_eq!(parse_event(body.as_bytes()), Err(ParseError::NotAnEvent), "{body}");
    }
    for body in [
        r#"{"type":"new-message"}"#,
        r#"{"type":"new-message","data":null}"#,
        r#"{"type":"updated-message","data":{"guid":null}}"#,
        r#"{"type":"new-message","data":{"guid":"\u0000"}}"#,
        r#"{"type":"new-message","data":["A"]}"#,
    ] {
        assert_eq!(parse_event(body.as_bytes()), Err(ParseError::NoMessage), "{body}");
    }
}
