import { useClient, useMutation } from 'urql';
import { Form } from '../form.tsx';
import { CurrentSessionDocument, ResendVerificationEmailDocument } from '../operations.ts';
import { Page } from '../page.tsx';

/** Signed in, but the address is not verified: Credence answers nothing but the session until then. */
export function CheckMailbox({ email }: { email: string }) {
  const api = useClient();
  const [, resend] = useMutation(ResendVerificationEmailDocument);
  // When it is verified, the query that led here hears of it, too, and this page is gone.
  const look = () => api.query(CurrentSessionDocument, {}, { requestPolicy: 'network-only' }).toPromise();
  return (
    <Page title="Look into your mailbox">
      <p>
        We have sent a letter to <strong>{email}</strong>. Its link shows that the address is yours.
      </p>
      <Form
        submit="I have opened it"
        done="It is not verified yet. Did you press the button on the page of the link?"
        act={async () => (await look()).error}
      />
      <h2>No letter?</h2>
      <p>It may be among the unwanted ones. Its link works for 24 hours.</p>
      <Form
        submit="Send another letter"
        done="Another letter is on its way."
        act={async () => (await resend({ email })).error}
      />
    </Page>
  );
}
