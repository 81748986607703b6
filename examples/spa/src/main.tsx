import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { hideLetterToken } from './router.tsx';
import './style.css';

hideLetterToken();
const root = document.getElementById('root');
if (!root) throw new Error('index.html has a place for the app.');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
