/** A chat message, as chat templates take it. */
export interface Message {
  /** Who speaks. */
  role: 'system' | 'user' | 'assistant'
  /** What is said. */
  content: string
}

/** A call of a tool by the assistant, as chat templates take it: OpenAI's form, or a name and arguments alone. */
export type ToolCall = Readonly<Record<string, unknown>>

/** A message of an example: of a chat, or with tools. */
export interface ExampleMessage extends Omit<Message, 'role'> {
  role: Message['role'] | 'tool'
  /** What the assistant calls; its `content` may then be empty. */
  tool_calls?: readonly ToolCall[]
  /** Of a tool's message: its name. */
  name?: string
  /** Of a tool's message: the call that it answers. */
  tool_call_id?: string
}

/** What the assistant may call: JSON schemas of functions, as chat templates take them. */
export type Tools = readonly Readonly<Record<string, unknown>>[]

/**
 * Something to imitate, in the forms that TRL names conversational and prompt-completion. Lists of messages go through the
 * model's chat template; strings are the model's text as it is.
 */
export type TextExample =
  | {
      /** What the assistant says in it is imitated. */
      messages: readonly ExampleMessage[]
      /** Shown to the model by its chat template. */
      tools?: Tools
    }
  | {
      /** What the model is given. */
      prompt: string | readonly ExampleMessage[]
      /** What is imitated: a text, or the messages that follow, of which the assistant's are. */
      completion: string | readonly ExampleMessage[]
      /** As above; for lists of messages. */
      tools?: Tools
    }
