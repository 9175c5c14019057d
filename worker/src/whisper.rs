//! Whisper, in this process: the one way there is to transcribe. Built with the feature of that name alone, since it brings a C++ library along.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Context;
use crm::messaging::media::transcribe::{Speech, Transcriber, without_sounds};
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};

/// Above this the model itself takes a part for no speech.
const NO_SPEECH: f32 = 0.8;

/// A model that has been read.
pub struct Whisper {
    model: WhisperContext,
}

impl Whisper {
    /// Reads a model in whisper.cpp's own form.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        whisper_rs::install_logging_hooks();
        let read = || format!("PALOMA_WHISPER_MODEL: {} is no model that whisper.cpp reads", path.display());
        let name = path.to_str().with_context(read)?;
        let model = WhisperContext::new_with_params(name, WhisperContextParameters::default()).with_context(read)?;
        Ok(Self { model })
    }
}

/// One processor stays with the other jobs: more threads than free ones only wait for each other.
fn threads() -> i32 {
    let there = thread::available_parallelism().map_or(1, usize::from);
    i32::try_from(there.saturating_sub(1)).unwrap_or(1).clamp(1, 8)
}

impl Transcriber for Whisper {
    fn transcribe(&self, samples: &[f32], stop: Arc<AtomicBool>) -> Result<Speech, String> {
        let said = |error: whisper_rs::WhisperError| error.to_string();
        let mut state = self.model.create_state().map_err(said)?;
        let mut params = FullParams::new(SamplingStrategy::BeamSearch { beam_size: 5, patience: -1.0 });
        params.set_n_threads(threads());
        // a model of one language has no tokens to detect others by
        params.set_language(if self.model.is_multilingual() { Some("auto") } else { Some("en") });
        // a mistake is not to lead the rest astray
        params.set_no_context(true);
        params.set_suppress_blank(true);
        params.set_suppress_nst(true);
        params.set_print_special(false);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        // boxed as this very type: whisper-rs reads it back as what it boxes everything as, and would read a bare closure wrongly
        let stops: Box<dyn FnMut() -> bool> = Box::new(move || stop.load(Ordering::Relaxed));
        params.set_abort_callback_safe(stops);
        state.full(params, samples).map_err(said)?;
        let mut text = String::new();
        for part in state.as_iter().filter(|part| part.no_speech_probability() < NO_SPEECH) {
            text.push_str(&part.to_str_lossy().map_err(said)?);
        }
        let language = whisper_rs::get_lang_str(state.full_lang_id_from_state()).unwrap_or("en").to_owned();
        Ok(Speech { text: without_sounds(&text), language })
    }
}
