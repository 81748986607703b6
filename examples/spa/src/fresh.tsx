// Some things ask for a password proven within the last ten minutes (level FRESH). Rather than keep time here, we let
// Credence refuse with REAUTHENTICATION_REQUIRED, ask for the password, and do the thing again.
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react';
import { type CombinedError, useMutation } from 'urql';
import { Field, Form, type Values } from './form.tsx';
import { ReauthenticateDocument } from './operations.ts';
import { codeOf } from './problems.ts';

type Run = <Result extends { error?: CombinedError | undefined }>(act: () => Promise<Result>) => Promise<Result>;

const FreshContext = createContext<Run>((act) => act());

/** Runs something fresh; its answer is the refusal when the person did not want to prove the password. */
export function useFresh(): Run {
  return useContext(FreshContext);
}

export function FreshProvider({ children }: { children: ReactNode }) {
  const [, reauthenticate] = useMutation(ReauthenticateDocument);
  const dialog = useRef<HTMLDialogElement>(null);
  const [settle, setSettle] = useState<(isProven: boolean) => void>();

  useEffect(() => {
    if (settle) dialog.current?.showModal();
    else dialog.current?.close();
  }, [settle]);

  async function run<Result extends { error?: CombinedError | undefined }>(act: () => Promise<Result>) {
    const first = await act();
    if (!first.error || codeOf(first.error) !== 'REAUTHENTICATION_REQUIRED') return first;
    const isProven = await new Promise<boolean>((resolve) => setSettle(() => resolve));
    setSettle(undefined);
    return isProven ? act() : first;
  }

  async function prove({ password = '' }: Values) {
    const { error } = await reauthenticate({ password });
    if (!error) settle?.(true);
    return error;
  }

  return (
    <FreshContext.Provider value={run}>
      {children}
      <dialog ref={dialog} aria-label="Confirm that it is you" onClose={() => settle?.(false)}>
        {settle && (
          <>
            <h2>Confirm that it is you</h2>
            <Form submit="Confirm" act={prove}>
              <Field name="password" label="Your password" type="password" autoComplete="current-password" />
            </Form>
            <button type="button" className="quiet" onClick={() => settle(false)}>
              Cancel
            </button>
          </>
        )}
      </dialog>
    </FreshContext.Provider>
  );
}
