/** A chat message, as chat templates take it. */
export interface Message {
  /** Who speaks. */
  role: 'system' | 'user' | 'assistant'
  /** What is said. */
  content: string
}

/**
 * Something to imitate, in the forms that TRL names conversational and prompt-completion. Lists of messages go through the
 * model's chat template; strings are the model's text as it is.
 */
export type TextExample =
  | {
      /** What the assistant says in it is imitated. */
      messages: readonly Message[]
    }
  | {
      /** What the model is given. */
      prompt: string | readonly Message[]
      /** What is imitated: a text, or the messages that follow, of which the assistant's are. */
      completion: string | readonly Message[]
    }
