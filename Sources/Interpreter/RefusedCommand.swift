// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// What is kept of a command that was refused, so that somebody can ask why. Cheap enough to keep of every one.
struct RefusedCommand {
  let command: CommandNode
  let node: Node
  let reason: Errno
  /// The request and the struct as it was sent; nil for what is no single ioctl.
  let request: (plan: RequestPlan, sent: [UInt8])?
}
