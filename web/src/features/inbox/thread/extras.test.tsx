import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { afterEach, beforeAll, expect, it, vi } from "vitest";

import es from "@/i18n/es";

import type { Media, Message } from "../wire";
import { Attempts, Reactions } from "./Marks";
import { MediaView, sizeOf } from "./MediaView";

beforeAll(async () => {
  await i18next.use(initReactI18next).init({ lng: "es", resources: { es: { translation: es } } });
});
afterEach(cleanup);

const message = (extras: Partial<Message>) => ({ id: "m", reactions: [], ...extras }) as Message;
const media = (change: Partial<Media>): Media => ({
  id: "f",
  kind: "video",
  name: "vuelta.mov",
  state: "stored",
  is_voice: false,
  url: "/v1/media/f",
  ...change,
});

it("shows both tries with what the second one rests on", () => {
  const at = "2026-11-26T10:00:00Z";
  const attempts = [
    { number: 1, cause: "first", service: "imessage", status: "failed", reason: "gateway_error_22", at },
    {
      number: 2,
      cause: "fallback",
      service: "sms",
      status: "delivered",
      evidence: { kind: "error", code: 22 },
      at,
    },
  ];
  render(<Attempts message={message({ attempts })} />);
  const [first, second] = screen.getAllByRole("listitem");
  expect(first?.textContent).toMatch(/Intento 1 por iMessage.*No se envió.*no está disponible/);
  expect(second?.textContent).toMatch(/Intento 2 por SMS.*Entregado.*Se pasó a SMS/);
  cleanup();
  // one try is the message itself
  render(<Attempts message={message({ attempts: attempts.slice(0, 1) })} />);
  expect(screen.queryByRole("list")).toBeNull();
});

it("shows reactions as signs with their words", () => {
  const at = "2026-11-26T10:00:00Z";
  render(
    <Reactions
      message={message({
        reactions: [
          { kind: "love", from: "contact", at },
          { kind: "🔥", from: "us", at },
        ],
      })}
    />,
  );
  expect(screen.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual([
    "❤️ Reacción del contacto",
    "🔥 Reacción tuya",
  ]);
});

it("plays a video only once it is asked to, and keeps its place before", () => {
  render(<MediaView media={media({ width: 1920, height: 1080, duration_ms: 65_000 })} renew={vi.fn()} />);
  const button = screen.getByRole("button", { name: "Reproducir vuelta.mov" });
  expect(button.style.width).toBe("352px");
  expect(button.textContent).toContain("1:05");
  expect(document.querySelector("video")).toBeNull();
  fireEvent.click(button);
  expect(document.querySelector("video")?.getAttribute("src")).toBe("/v1/media/f");
  expect(sizeOf({ width: 100, height: 50 })).toEqual({ width: 100, height: 50 });
});

it("says why a file is not there, and asks for a picture whose address has run out", () => {
  const renew = vi.fn();
  render(<MediaView media={media({ state: "too_large", name: "plano.pdf", kind: "file" })} renew={renew} />);
  expect(screen.getByText("plano.pdf es demasiado grande")).toBeTruthy();
  cleanup();
  render(<MediaView media={media({ kind: "image", name: "foto.heic" })} renew={renew} />);
  fireEvent.error(screen.getByAltText("foto.heic"));
  expect(renew).toHaveBeenCalledOnce();
  cleanup();
  const sound = (transcript: Partial<NonNullable<Media["transcript"]>>) =>
    media({ kind: "audio", transcript: { state: "done", ...transcript } });
  render(<MediaView media={sound({ text: "I’ll be there at six", language: "en" })} renew={renew} />);
  expect(screen.getByText("I’ll be there at six").lang).toBe("en");
  expect(screen.getByText("Transcrito del inglés")).toBeTruthy();
  cleanup();
  for (const [reason, text] of [
    ["no_speech", /no se oye hablar a nadie/],
    ["no_model", /no hay con qué hacerla/],
    ["of a later version", /no se pudo hacer/],
  ] as const) {
    render(<MediaView media={sound({ state: "none", reason })} renew={renew} />);
    expect(screen.getByText(text)).toBeTruthy();
    cleanup();
  }
  render(<MediaView media={sound({ state: "pending" })} renew={renew} />);
  expect(screen.getByText("Transcribiendo…")).toBeTruthy();
});
