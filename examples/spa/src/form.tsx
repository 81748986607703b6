import {
  createContext,
  type FormEvent,
  type InputHTMLAttributes,
  type ReactNode,
  useContext,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react';
import type { CombinedError } from 'urql';
import { type Problem, type ProblemTexts, problemOf } from './problems.ts';

const FieldProblems = createContext<Problem['fields']>({});

/** What was typed, by the names of the fields. */
export type Values = Readonly<Record<string, string>>;

function valuesOf(form: HTMLFormElement): Values {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}

interface FormProps {
  /** The text of the button. */
  submit: string;
  /** Said after it went well. */
  done?: string;
  /** What codes mean in this form. */
  says?: ProblemTexts;
  /** Does it, and answers what went wrong. */
  act(values: Values): Promise<CombinedError | undefined>;
  children?: ReactNode;
}

/** A form that says what is wrong where it is wrong, leads the focus there, and cannot be sent twice at once. */
export function Form({ submit, done, says, act, children }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [isDone, setDone] = useState(false);

  useEffect(() => {
    if (problem) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [problem]);

  async function send(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    if (isBusy) return;
    const element = event.currentTarget;
    setBusy(true);
    setDone(false);
    const error = await act(valuesOf(element));
    setBusy(false);
    setProblem(error && problemOf(error, says));
    setDone(error === undefined);
    // A password that was taken has no business on the screen.
    if (!error) for (const input of element.querySelectorAll<HTMLInputElement>('[type=password]')) input.value = '';
  }

  return (
    <form ref={form} onSubmit={send} aria-busy={isBusy}>
      <p className="problem" role="alert">
        {problem?.text}
      </p>
      <FieldProblems.Provider value={problem?.fields ?? {}}>{children}</FieldProblems.Provider>
      <button type="submit" disabled={isBusy}>
        {isBusy ? 'One moment …' : submit}
      </button>
      <p className="done" role="status">
        {isDone && done}
      </p>
    </form>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  name: string;
  label: string;
  hint?: ReactNode;
}

export function Field({ name, label, hint, ...input }: FieldProps) {
  const id = useId();
  const problem = useContext(FieldProblems)[name];
  const about = [problem && `${id}-problem`, hint && `${id}-hint`].filter(Boolean).join(' ');
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        required
        {...input}
        id={id}
        name={name}
        aria-invalid={problem !== undefined}
        aria-describedby={about || undefined}
      />
      {problem && (
        <p className="problem" id={`${id}-problem`}>
          {problem.charAt(0).toUpperCase() + problem.slice(1)}
        </p>
      )}
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
