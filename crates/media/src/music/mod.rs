//! Sound that is not spoken live: uploaded hold music decoded, and our own synthetic loop and voices.

#[derive(Debug, thiserror::Error)]
pub enum MusicError {
    #[error("the file is no sound that can be read (WAV, FLAC, Ogg Vorbis, Ogg Opus or MP3): {0}")]
    NotSound(String),
    #[error("the sound is longer than {0} seconds")]
    TooLong(u32),
    #[error("the file holds no sound")]
    Empty,
}
/// Decodes a whole file to mono 48 kHz.
pub fn decode(file: &[u8]) -> Result<Vec<f32>, MusicError> {
    let _ = file;
    todo!()
}
/// The bundled hold music, synthesised: our own making. Loops without a seam.
pub fn hold_loop() -> Vec<f32> {
    todo!()
}
/// Endless synthetic speech-like voice for the demo; `which` 0 or 1 sound clearly different. Gives `samples` mono at 48 kHz from `from`.
pub fn voice(which: u8, from: u64, out: &mut [f32]) {
    let _ = (which, from, out);
    todo!()
}
