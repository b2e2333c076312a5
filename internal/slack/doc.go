// Package slack reaches people in Slack: it keeps there the messages that must
// be there, and brings back what people pressed.
//
// What it promises:
//
//   - A message of the [Outbox] is posted once. Slack knows no idempotency key,
//     so each message carries its own key as metadata, and after an outcome
//     that is not known (a timeout, a crash between post and record) the key is
//     looked up before anything is posted again.
//   - A click is answered only after the [Desk] has made it durable, within the
//     three seconds that Slack waits, and only when its signature, its age, its
//     being new and the person behind it have been checked. Guests, strangers,
//     bots and the deactivated never reach [Desk.Answer].
//   - Refusals are seen by the clicker alone.
//   - Slack's limits are kept: a token bucket per method and channel, 429 with
//     Retry-After, sizes of blocks. A burst becomes a digest, and nothing that
//     waits behind it is lost.
//   - Text is shown, never interpreted: no mention, no link and no formatting
//     of a field's value comes from a message's text.
//
// What it never does: decide who may answer or what an answer means, keep state
// that the outbox and Slack itself do not have, or put anything but an opaque
// token behind a button.
//
// Slack's own rules: docs.slack.dev, pages "Verifying requests from Slack",
// "Handling user interaction", "Rate limits", "Block Kit", "Message metadata",
// "Using Socket Mode". How to make the app: docs/slack.md.
package slack
